/**
 * `read`, whose result is handed out again for so many milliseconds, and which never runs twice at once: many viewers cost
 * as much as one, and a database that hangs is asked once. A failure is not remembered.
 */
export function remember<Result>(
  read: () => Promise<Result>,
  milliseconds: number,
  now: () => number = () => performance.now(),
): () => Promise<Result> {
  let last: { readonly promise: Promise<Result>; until: number } | null = null
  return () => {
    if (last && now() < last.until) return last.promise
    const current = { promise: read(), until: Number.POSITIVE_INFINITY }
    last = current
    current.promise.then(
      () => {
        current.until = now() + milliseconds
      },
      () => {
        if (last === current) last = null
      },
    )
    return current.promise
  }
}
