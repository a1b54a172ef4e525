// The script of every page: a page names itself in <body data-page>, its module does the rest.

import { startTheme } from "./theme.js";

startTheme();
const page = document.body.dataset.page;
if (["home", "job", "fleet"].includes(page)) (await import(`./${page}.js`)).start();
