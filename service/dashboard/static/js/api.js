// Calls of the HTTP API from a page of its own.

/** What the server refused, in its words; `errors` are the mistakes by their place in the body. */
export class Refused extends Error {
  /** @param {number} status @param {{detail?: string, title?: string, errors?: {pointer: string, message: string}[]}|null} problem */
  constructor(status, problem) {
    super(problem?.detail ?? problem?.title ?? `The server answered ${status}.`);
    this.status = status;
    this.errors = problem?.errors ?? [];
  }
}

/**
 * @param {string} method @param {string} path @param {unknown} [body] JSON
 * @returns {Promise<any>} the answer's JSON; raises Refused where the server refuses
 */
export async function call(method, path, body) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const found = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, found);
  return found;
}
