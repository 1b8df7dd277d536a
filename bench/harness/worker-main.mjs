// A worker process. argv: contender file, role, options as JSON. It answers the parent's calls and ends when it goes.
import { Consumer } from './consumer.mjs';
import { Publisher } from './publisher.mjs';
import { Client, Server } from './requests.mjs';

const [contender, role, json] = process.argv.slice(2);
const roles = { consumer: Consumer, publisher: Publisher, client: Client, server: Server };

process.on('message', async ({ call, command, options }) => {
  try {
    process.send({ call, result: (await handle(command, options)) ?? null });
  } catch (error) {
    process.send({ call, error: error?.stack ?? String(error) });
  }
});
process.on('disconnect', () => process.exit(0));

let worker;

async function handle(command, options) {
  if (command !== 'start') return worker[command](options);
  const parts = await import(`../contenders/${contender}.mjs`);
  const given = JSON.parse(json);
  worker = role === 'alone' ? await parts.alone(given) : new roles[role]();
  if (role !== 'alone') await worker.start(parts[role], given);
}
