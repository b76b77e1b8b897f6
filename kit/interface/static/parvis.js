// What every page does. Nothing here is needed to read a page or to send a form.
import { watchMenus } from "./menus.js";
import { watchCopy } from "./copy.js";
import { watchForms } from "./forms.js";
import { watchToasts } from "./toasts.js";

watchMenus();
watchCopy();
watchForms();
watchToasts();
