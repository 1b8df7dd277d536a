// node --import tools/source-loader.mjs traced-shipping.ts <url>: a service that handles `orders`, and prints its spans as JSON,
// a line each; it stops when its input ends.
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { openTelemetry } from '../../../lib/opentelemetry/open-telemetry.js';
import { Telemetry } from '../../support/telemetry.js';

async function main(url: string): Promise<void> {
  const telemetry = new Telemetry((span) => console.log(JSON.stringify(span)));
  const logger = { log: () => {}, warn: () => {}, error: () => {} };
  const bus = new DiscoBus({
    driver: redisDriver({ url }),
    service: 'shipping',
    tracing: openTelemetry(),
    logger,
  });
  // Started within a span of its own, which nothing that comes later may belong to.
  await telemetry.within('boot', async () => {
    await bus.start();
    const ship = async ({ number, failures }: Order, { attempt }: { attempt: number }) => {
      if (attempt <= failures) throw new RangeError(`no van for ${number}`);
      await bus.publish('shipped', { number });
    };
    const retry = { attempts: 2, backoff: { delay: 10 } };
    await bus.subscribe('orders', ship, { retry });
  });
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once('end', resolve));
  await bus.stop();
  await telemetry.close();
}

interface Order {
  readonly number: number;
  readonly failures: number;
}

void main(process.argv[2]);
