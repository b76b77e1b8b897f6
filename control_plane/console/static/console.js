// The console: what was just done is said once, and choices open the part of a form that belongs to them.

/** The toast came with the page: put in anew, it is announced; reloading does not say it again. */
function sayDone() {
  const corner = document.getElementById("toasts");
  const said = corner?.querySelector("[data-toast]");
  if (!corner || !said) return;
  said.remove();
  requestAnimationFrame(() => corner.append(said));
  const here = new URL(location.href);
  here.searchParams.delete("done");
  history.replaceState(history.state, "", here);
}

sayDone();
