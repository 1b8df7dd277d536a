import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const Sequencer = createRequire(import.meta.url)('@jest/test-sequencer').default;

/** The specs that take ten seconds or more, the longest first: begun last, one of them would keep the other workers idle. */
const longest = [
  'package/package.spec.ts',
  'faults/streams-failover.spec.ts',
  'contract/redis-streams.spec.ts',
  'faults/rpc-restarts.spec.ts',
  'faults/streams-suspects.spec.ts',
  'package/nest-11.spec.ts',
  'faults/streams-processes.spec.ts',
  'integration/hostile/hostile-frames.spec.ts',
  'unit/limits/pending-requests.spec.ts',
  'cli/places.spec.ts',
  'cli/contract.spec.ts',
  'integration/metrics/group-metrics.spec.ts',
  'integration/outbox/outbox.spec.ts',
  'unit/contract/types.spec.ts',
  'faults/streams-versions.spec.ts',
  'integration/secrets/failing-paths.spec.ts',
  'nest/storm.spec.ts',
  'faults/locks-orphans.spec.ts',
  'faults/pubsub-connections.spec.ts',
  'faults/pubsub-buffers.spec.ts',
  'faults/locks-history.spec.ts',
  'faults/streams-broker.spec.ts',
  'contract/least-rights.spec.ts',
  'samples/contexter.spec.ts',
  'integration/streams/streams-consume.spec.ts',
  'faults/locks-holder.spec.ts',
  'faults/soak.spec.ts',
  'integration/redis/pubsub-reconnect.spec.ts',
  'integration/calls/call-by-state.spec.ts',
  'nest/shutdown-hooks.spec.ts',
  'unit/api/api-report.spec.ts',
  'unit/limits/late-handlers.spec.ts',
  'cli/explain.spec.ts',
  'cli/looking.spec.ts',
  'nest/simulate.spec.ts',
  'integration/outbox/exactly-once.spec.ts',
  'cli/steering.spec.ts',
  'cli/terminal.spec.ts',
  'samples/cluster-once-cron.spec.ts',
].map((file) => fileURLToPath(new URL(`../${file}`, import.meta.url)));

/** The long specs first, and the others in the order that jest gives them. Throws when a long spec has moved. */
export default class LongestFirst extends Sequencer {
  async sort(tests) {
    const gone = longest.filter((path) => !existsSync(path));
    if (gone.length > 0) throw new Error(`longest-first.mjs names what is not there: ${gone.join(', ')}`);
    const place = ({ path }) => (longest.includes(path) ? longest.indexOf(path) : longest.length);
    return [...(await super.sort(tests))].sort((one, other) => place(one) - place(other));
  }
}
