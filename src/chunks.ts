/** Cuts a list into consecutive parts of `size` elements; the last one may be shorter. Pure. */
export function* chunks<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}
