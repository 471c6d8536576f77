/** Whether a host name, as a URL or HTTP_HOST has it, means this machine alone. Pure. */
export function isLoopback(hostname: string): boolean {
  return /^((.+\.)?localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(hostname)
}
