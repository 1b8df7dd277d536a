/** A command of this program as it can be pasted into a shell; never with the url, as it may hold a password. */
export function shownCommand(words: readonly string[], prefix: string): string {
  const own = prefix === 'disco' ? [] : ['--prefix', prefix];
  return ['disco-bus', ...words, ...own].map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[A-Za-z0-9@%+=:,./_-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`;
}
