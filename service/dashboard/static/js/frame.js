// What the frame around every page does.

/** Show whether the page is live. @param {"live"|"reconnecting"|"paused"} state @param {string} text */
export function setLive(state, text) {
  const dot = document.getElementById("live");
  dot.className = `live live-${state}`;
  dot.textContent = text;
}
