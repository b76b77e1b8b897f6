"""What people choose most: words and runs that guessers try first. Folded: lower case, no accents, no substitutes."""

TEXT = """
password passwort motdepasse passe passw0rd mdp secret admin administrator administrateur root user
utilisateur login welcome bienvenue bonjour bonsoir salut coucou hello changeme changemoi default defaut
temporaire temporary test demo azerty qwerty qwertz azertyuiop qwertyuiop asdfgh asdfghjkl qsdfgh qsdfghjklm
wxcvbn zxcvbn zxcvbnm poiuyt abc abcd abcdef abcdefgh letmein iloveyou jetaime jetadore princess princesse
dragon monkey shadow sunshine soleil master football baseball superman batman starwars pokemon michael charlie
thomas nicolas julien camille marine doudou loulou chouchou cheval chocolat marseille paris lyon france
toulouse bordeaux bretagne lille nantes computer ordinateur internet google facebook microsoft windows apple
samsung entreprise company societe office winter spring summer autumn hiver printemps automne january february
march april june july august september october november december janvier fevrier mars avril juin juillet aout
septembre octobre novembre decembre monday tuesday wednesday thursday friday saturday sunday lundi mardi
mercredi jeudi vendredi samedi dimanche love money family famille maison enfant bebe amour ange angel liberte
liverpool arsenal chelsea barcelona trustno whatever freedom killer hunter ginger cookie cheese pepper
summertime ninja mustang access flower parvis portail portal workspace espace collaboration mairie commune
prefecture correcthorsebatterystaple thequickbrownfox loremipsum
"""

WORDS = frozenset(TEXT.split())

RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1aqw2zsx3edc4rfv5tgb6yhn7ujm",
)
