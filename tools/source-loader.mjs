// node --import ./tools/source-loader.mjs program.ts runs TypeScript of this repository from source. Each file is
// transpiled once: the result is kept in node_modules/.cache under a hash of the file, its path and the settings.
import { register } from 'node:module';

register('./source-hooks.mjs', import.meta.url);
