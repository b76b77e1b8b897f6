// Menus and dialogs open by HTML alone (popover, command). Here: keys inside menus, and what older browsers lack.

/** Items of a menu that can take focus. @param {Element} menu @returns {HTMLElement[]} */
function itemsOf(menu) {
  return [...menu.querySelectorAll(":scope > a, :scope > button, :scope > form > button")];
}

/** Arrows, Home and End move inside an open menu. @param {KeyboardEvent} event */
function onKey(event) {
  const menu = event.target instanceof Element ? event.target.closest(".menu[popover]") : null;
  if (!menu) return;
  const items = itemsOf(menu);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (next === undefined || !items.length) return;
  event.preventDefault();
  items[(next + items.length) % items.length].focus();
}

/** The first item takes focus when the keyboard opened the menu. @param {Event} event */
function onToggle(event) {
  const menu = event.target;
  if (!(menu instanceof HTMLElement) || !menu.matches(".menu[popover]")) return;
  const opener = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
  opener?.setAttribute("aria-expanded", String(menu.matches(":popover-open")));
  if (menu.matches(":popover-open")) {
    if (!CSS.supports("position-area", "end")) place(menu, opener);
    if (opener?.matches(":focus-visible")) itemsOf(menu)[0]?.focus();
  }
}

/** Without CSS anchors: under the button, inside the window. @param {HTMLElement} menu @param {Element | null} opener */
function place(menu, opener) {
  if (!opener) return;
  const box = opener.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = box.bottom + height + 8 < innerHeight;
  menu.style.position = "fixed";
  menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
  menu.style.top = `${below ? box.bottom : Math.max(8, box.top - height - 8)}px`;
}

/** Buttons with `command` where the browser does not know it. @param {MouseEvent} event */
function onCommand(event) {
  const button = event.target instanceof Element ? event.target.closest("button[commandfor]") : null;
  const dialog = button && document.getElementById(button.getAttribute("commandfor") ?? "");
  if (!button || !(dialog instanceof HTMLDialogElement)) return;
  const command = button.getAttribute("command");
  if (command === "show-modal" && !dialog.open) dialog.showModal();
  if (command === "close" && dialog.open) dialog.close();
}

/** Starts all of the above. */
export function watchMenus() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("toggle", onToggle, true);
  if (!("commandForElement" in HTMLButtonElement.prototype)) document.addEventListener("click", onCommand);
}
