/** Texts whose contrast with their background is below 4.5 (WCAG 2.2, 1.4.3), or 3 if they are large; runs in the page. */
export const WEAKEST_CONTRAST = `(() => {
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number)
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at)
      if (style.backgroundImage !== 'none') return null
      const [r, g, b, a = 1] = parse(style.backgroundColor)
      if (a === 1) return [r, g, b]
    }
    return [255, 255, 255]
  }
  const weak = new Set()
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('.unseen, .skip, svg, [aria-hidden=true], .outside')) continue
    const style = getComputedStyle(element)
    const ground = behind(element)
    if (!ground) continue
    const [a, b] = [luminance(parse(style.color)), luminance(ground)].sort((x, y) => y - x)
    const size = parseFloat(style.fontSize)
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5
    const ratio = (a + 0.05) / (b + 0.05)
    if (ratio < needed) weak.add(element.tagName + '.' + element.className + ' ' + ratio.toFixed(2) + ' ' + walker.currentNode.data.trim().slice(0, 20))
  }
  return [...weak]
})()`
