import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { engines, silent, useEngines } from './support.js';

useEngines();

const servers: DiscoBusServer[] = [];
const buses: DiscoBus[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await Promise.all(buses.splice(0).map((bus) => bus.stop()));
});

async function listening(server: DiscoBusServer): Promise<DiscoBusServer> {
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    server.listen((error) => (error === undefined ? resolve() : reject(error as Error)));
  });
  return server;
}

async function started(bus: DiscoBus): Promise<DiscoBus> {
  buses.push(bus);
  await bus.start();
  return bus;
}

describe.each(engines)('bus.inspect.instances over $name', ({ name, options, driver }) => {
  const prefix = `who-${name.replace(/\W/g, '')}`;
  const common = () => ({ driver: driver(), prefix, logger: silent });

  it('tells the servers that answer requests, with what they answer; those that closed are gone', async () => {
    const bus = await started(new DiscoBus({ ...common(), service: 'watch' }));
    expect(await bus.inspect.instances({ timeout: 300 })).toEqual([]);
    const [sums, both] = ['sums', 'both'].map(
      (service) => new DiscoBusServer({ ...common(), ...options, service }),
    );
    sums.addHandler('sum', async () => 1);
    both.addHandler('sum', async () => 1);
    both.addHandler({ cmd: 'add' }, async () => 2);
    both.addHandler('happened', async () => {}, true);
    const listener = new DiscoBusServer({ ...common(), ...options, service: 'listener' });
    listener.addHandler('happened', async () => {}, true);
    const before = Date.now();
    for (const server of [sums, both, listener]) await listening(server);
    const found = await bus.inspect.instances();
    expect(found).toMatchObject([
      { service: 'both', patterns: ['sum', '{"cmd":"add"}'] },
      { service: 'sums', patterns: ['sum'] },
    ]);
    for (const { id, pid, host, version, since, seenAt } of found) {
      expect(id).toMatch(/^[0-9a-f]{32}$/);
      expect({ pid, host: host.length > 0, version: version.length > 0 }).toEqual({
        pid: process.pid,
        host: true,
        version: true,
      });
      expect(since).toBeGreaterThanOrEqual(before);
      expect(seenAt).toBeGreaterThanOrEqual(since);
    }
    await both.close();
    expect((await bus.inspect.instances()).map(({ service }) => service)).toEqual(['sums']);
  });
});

describe('bus.inspect.instances', () => {
  it('refuses options that cannot be, and waits for no connection that will not come', async () => {
    const bus = new DiscoBus({ driver: engines[0].driver(), logger: silent });
    await expect(bus.inspect.instances({ timeout: 'soon' as never })).rejects.toMatchObject({
      code: 'DISCO_CONFIGURATION',
    });
    await expect(bus.inspect.instances()).rejects.toMatchObject({ code: 'DISCO_NOT_CONNECTED' });
  });
});
