// A form that goes on by itself. Its button serves where scripts do not run.
const form = document.querySelector("form[data-send-at-once]");
if (form instanceof HTMLFormElement) form.submit();
