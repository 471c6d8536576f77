/** Shared by the server, which renders a duration, and by page.js, which counts it up. */

/** Seconds as a clock: 0:42, 12:05, 1:02:09; from two days on 3 d 4 h. */
export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole >= 172_800) return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
  const two = (part) => String(part).padStart(2, '0')
  const minutes = Math.floor(whole / 60)
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`
}
