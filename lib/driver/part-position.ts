/** Where a message of a bundle is kept: the bundle's place, `#`, and its number in it from 0. Of a lone message the place itself. */
export function partPosition(position: string, part: number | undefined): string {
  return part === undefined ? position : `${position}#${part}`;
}
