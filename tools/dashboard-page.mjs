// node tools/dashboard-page.mjs: writes the files of lib/dashboard/page into lib/dashboard/page-texts.ts, as texts of a module,
// so that bundlers take them along. A test compares them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../lib/dashboard/page', import.meta.url));
/** By the quotes that need the fewer escapes, as the formatter writes it. */
function quoted(text) {
  const double = JSON.stringify(text);
  if (text.split("'").length > text.split('"').length) return double;
  return `'${double.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}
const texts = readdirSync(folder)
  .sort()
  .map((name) => `  '${name}':\n    ${quoted(readFileSync(join(folder, name), 'utf8'))},\n`);

writeFileSync(
  join(folder, '../page-texts.ts'),
  `// Written by tools/dashboard-page.mjs from the files of page/.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of files.\n
/** The files of the page, by name. */
export const pageTexts: Readonly<Record<string, string>> = {\n${texts.join('')}};\n`,
);
