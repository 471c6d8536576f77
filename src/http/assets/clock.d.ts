export function clockText(seconds: number): string
