import type { RpcInstance } from '../../bus/operate/rpc-instances.js';
import { type Command, positional, valued } from '../command.js';
import { notFound } from '../exit-codes.js';
import type { Run } from '../run.js';
import { type Column, iso, table } from '../text.js';

const columns: readonly Column<RpcInstance>[] = [
  { name: 'service', of: ({ service }) => service },
  { name: 'host', of: ({ host }) => host },
  { name: 'pid', of: ({ pid }) => pid },
  { name: 'version', of: ({ version }) => version },
  { name: 'since', of: ({ since }) => iso(since) },
  { name: 'answers', of: ({ patterns }) => patterns.join(', ') },
];

/** `disco-bus instances` */
export const instances: Command = {
  summary:
    'Lists the servers of the transport that answer requests now: where they run, and what they answer.',
  details:
    'All are asked at once. Those that answer within 250 ms of the first are listed; those of an earlier version do not say\nwho they are.',
  examples: ['instances', 'instances billing --json'],
  args: {
    service: positional('Only those of this service', false),
    within: valued('duration', 'How long the first answer may take. Default: 1s'),
  },
  patienceMs: Number.POSITIVE_INFINITY,
  run: list,
};

async function list(run: Run): Promise<void> {
  const service = run.given.text('service');
  const timeout = run.given.durationMs('within', 1);
  const { bus } = await run.session();
  const all = await bus.inspect.instances({ timeout });
  const found = service === undefined ? all : all.filter((instance) => instance.service === service);
  if (service !== undefined && found.length === 0) throw nobody(service, all);
  run.show(found, () => table(columns, found, run.terminal.paint));
}

function nobody(service: string, all: readonly RpcInstance[]) {
  const others = [...new Set(all.map((instance) => `"${instance.service}"`))].join(', ');
  return notFound(
    `No instance of "${service}" answers; ${others === '' ? 'nobody does' : `those of ${others} do`}`,
  );
}
