// The script of every page: a page names itself in <body data-page>, its module does the rest.

import * as fleet from "./fleet.js";
import * as home from "./home.js";
import * as job from "./job.js";
import { startTheme } from "./theme.js";

startTheme();
({ fleet, home, job })[document.body.dataset.page]?.start();
