// The page of workers: read again every few seconds while somebody looks.

import { setLive } from "./frame.js";
import { reading, refresh, tellAges, wireCopies } from "./parts.js";

const PAUSE = 4000; // milliseconds
let timer = 0;
let asked = 0;

const read = reading(async () => {
  try {
    await refresh();
    setLive("live", "live");
  } catch (error) {
    setLive("reconnecting", "reconnecting");
    throw error;
  }
});

async function look() {
  clearTimeout(timer);
  const mine = (asked += 1);
  if (document.hidden) return setLive("paused", "paused");
  await read();
  if (mine === asked) timer = setTimeout(look, PAUSE);
  return tellAges();
}

document.addEventListener("visibilitychange", look);
wireCopies();
look();
