// A file on its way to the server, and what can be told of it before.

const LOOKED_AT = 64 * 1024; // bytes in which a header is looked for

/** A name for the data set from the file's. @param {string} file */
export const nameOf = (file) => file.replace(/\.[^.]*$/, "").toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[._-]+/, "").slice(0, 100);

/** The names in a CSV's first row; none of other files. @param {File} file @returns {Promise<string[]>} */
export async function columnsOf(file) {
  if (!/\.csv$/i.test(file.name)) return [];
  const text = (await file.slice(0, LOOKED_AT).text()).replace(/^\uFEFF/, "");
  const names = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g)) {
    names.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== ",") break;
  }
  return names.filter(Boolean);
}

/**
 * XMLHttpRequest, since fetch tells nothing of how much of a body is sent.
 * @param {string} path @param {File} file @param {string} type @param {(share: number) => void} progress
 * @returns {{answer: Promise<{status: number, found: any}>, stop: () => void}}
 */
export function put(path, file, type, progress) {
  const request = new XMLHttpRequest();
  request.open("PUT", path);
  request.setRequestHeader("content-type", type);
  request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
  const answer = new Promise((resolve, reject) => {
    request.addEventListener("load", () => resolve({ status: request.status, found: parsed(request.responseText) }));
    request.addEventListener("error", () => reject(new Error("The upload broke off; nothing was stored. Try again.")));
    request.addEventListener("abort", () => reject(new Error("Stopped; nothing was stored.")));
  });
  request.send(file);
  return { answer, stop: () => request.abort() };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
