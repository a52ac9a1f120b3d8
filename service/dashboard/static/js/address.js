// The address is the view: what was chosen stands in it, so that a reload and a shared link show the same.

/** Keep a choice in the address. @param {string} key @param {string|null} value null: what is shown without a choice */
export function remember(key, value) {
  const address = new URL(location.href);
  if (value === null) address.searchParams.delete(key);
  else address.searchParams.set(key, value);
  history.replaceState(null, "", address);
}

/** @param {string} key @returns {string|null} the choice that stands in the address */
export function recall(key) {
  return new URL(location.href).searchParams.get(key);
}

/** Keep several choices of one kind. @param {string} key @param {string[]} values */
export function rememberAll(key, values) {
  const address = new URL(location.href);
  address.searchParams.delete(key);
  for (const value of values) address.searchParams.append(key, value);
  history.replaceState(null, "", address);
}

/** @param {string} key @returns {string[]} all choices of this kind that stand in the address */
export function recallAll(key) {
  return new URL(location.href).searchParams.getAll(key);
}
