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
