/** Whether `error` says that an npm package is not installed: one of `packages`, not a file of this one. */
export function isMissingPackage(error: unknown, packages: readonly string[]): boolean {
  const { code, message } = error as { code?: string; message?: string };
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return false;
  return packages.some((name) => message?.includes(`'${name}'`) || message?.includes(`"${name}"`));
}
