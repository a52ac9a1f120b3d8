// Calls of the HTTP API from a page of its own.

/**
 * @param {string} method @param {string} path @param {unknown} [body] JSON
 * @returns {Promise<any>} the answer's JSON; an Error with the problem's words where the server refuses
 */
export async function call(method, path, body) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const found = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(found?.detail ?? found?.title ?? `The server answered ${answer.status}.`);
  return found;
}
