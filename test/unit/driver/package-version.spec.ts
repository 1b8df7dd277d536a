import { readFileSync } from 'node:fs';
import { VERSION } from '../../../lib/driver/package-version.js';

it('is the version of the package', () => {
  expect(VERSION).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
});
