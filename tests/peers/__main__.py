from tests.peers import install

print("identity providers for tests installed" if install() else "identity providers for tests are up to date")
