// node tools/complete-lock.mjs [folder]: adds to package-lock.json the builds for other platforms that npm left out.
// A registry mirror that lacks them makes `npm install` write a lock file that `npm ci` then refuses; the entries need
// no download to be written, as a platform build's version and platform stand in its parent and its name.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const file = join(process.argv[2] ?? '.', 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const { packages } = lock;

const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32', 'wasm32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/** What a platform build says of itself, read from its name: @swc/core-linux-arm-gnueabihf. */
function platformOf(name) {
  const words = name.split('/').pop().split('-');
  const os = words.find((word) => systems.includes(word));
  const cpu = words.find((word) => processors.includes(word));
  if (!os || !cpu) throw new Error(`${file}: ${name} names no platform; add it by hand`);
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu')) && os === 'linux'
      ? ['glibc']
      : undefined;
  return { cpu: [cpu], ...(libc && { libc }), os: [os] };
}

let added = 0;
for (const [parent, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (packages[`node_modules/${name}`] || packages[`${parent}/node_modules/${name}`]) continue;
    const { cpu, libc, os } = platformOf(name);
    packages[`node_modules/${name}`] = {
      version,
      cpu,
      ...(dev && { dev }),
      ...(libc && { libc }),
      optional: true,
      os,
    };
    added++;
  }
}

const [root, ...names] = Object.keys(packages);
names.sort((left, right) => left.localeCompare(right, 'en'));
lock.packages = Object.fromEntries([root, ...names].map((name) => [name, packages[name]]));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${file}: ${added} platform builds added`);
