// node --import tools/source-loader.mjs loaded-packages.mjs <entry>: imports the entry, and prints as JSON which npm
// packages that has loaded, by `import` or by `require`; what the source loader needs is left out.
import { createRequire, register } from 'node:module';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';

const { port1, port2 } = new MessageChannel();
const recorder = `let port;
export const initialize = (given) => { port = given; };
export async function resolve(specifier, context, next) {
  const resolved = await next(specifier, context);
  port.postMessage(resolved.url);
  return resolved;
}`;
register(`data:text/javascript,${encodeURIComponent(recorder)}`, { data: port2, transferList: [port2] });

const require = createRequire(import.meta.url);
await import(process.argv[2]);

const files = Object.keys(require.cache);
for (let told = receiveMessageOnPort(port1); told; told = receiveMessageOnPort(port1))
  files.push(told.message);
const packages = files.map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]);
console.log(
  JSON.stringify([...new Set(packages)].filter((name) => name !== undefined && name !== '@swc/core').sort()),
);
process.exit();
