import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { type RedisDriver, redisDriver } from '../../../lib/drivers/redis/index.js';
import type { RedisDriverOptions } from '../../../lib/drivers/redis/redis-options.js';
import { SelfSigned } from '../../support/certificate.js';
import { bytes, Drivers, fanOut, Inbox, once, rejection } from '../../support/redis-harness.js';
import { RedisSentinel } from '../../support/redis-sentinel.js';

const PASSWORD = 's3cret';

/** Writes down what comes for a port, and passes it on. */
class Wiretap {
  readonly heard: Buffer[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async before(port: number): Promise<Wiretap> {
    const server = createServer();
    const tap = new Wiretap(server);
    server.on('connection', (client) => {
      const onward = connect(port, '127.0.0.1');
      tap.sockets.add(client).add(onward);
      const index = tap.heard.push(Buffer.alloc(0)) - 1;
      client.on('data', (data) => {
        tap.heard[index] = Buffer.concat([tap.heard[index], data]);
      });
      for (const [one, other] of [
        [client, onward],
        [onward, client],
      ]) {
        one.on('error', () => other.destroy());
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return tap;
  }

  get address() {
    return { host: '127.0.0.1', port: (this.server.address() as AddressInfo).port };
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

describe('Redis behind Sentinels over TLS', () => {
  const drivers = new Drivers();
  const taps: Wiretap[] = [];
  let certificate: SelfSigned;
  let group: RedisSentinel;

  beforeAll(async () => {
    certificate = SelfSigned.make();
    group = await RedisSentinel.start(certificate);
    for (const { port } of group.sentinels) {
      const sentinel = new Redis({ port });
      await sentinel.call('ACL', 'SETUSER', 'default', 'resetpass', `>${PASSWORD}`);
      sentinel.disconnect();
    }
  }, 60_000);
  afterEach(async () => {
    await drivers.close();
    for (const tap of taps.splice(0)) tap.stop();
  });
  afterAll(async () => {
    await group.stop();
    certificate.remove();
  });

  /** How to get to the Sentinels by ports at which all is heard. */
  async function behind(addresses = group.secured) {
    for (const { port } of addresses) taps.push(await Wiretap.before(port));
    const sentinels = taps.map(({ address }) => address);
    return { sentinels, name: group.name, sentinelPassword: PASSWORD };
  }

  const heard = () => taps.flatMap((tap) => tap.heard).filter(({ length }) => length > 0);

  /** Something was said, and all of it in records of TLS: a handshake first, and the password nowhere. */
  function isSecret(): void {
    expect(heard().length).toBeGreaterThan(0);
    for (const said of heard()) {
      expect([...said.subarray(0, 2)]).toEqual([0x16, 0x03]);
      expect(said.includes(PASSWORD)).toBe(false);
      expect(said.toString('latin1')).not.toMatch(/auth|sentinel|get-master-addr/i);
    }
  }

  async function works(driver: RedisDriver): Promise<void> {
    const inbox = new Inbox();
    await driver.subscribe('t', fanOut, inbox.take);
    await driver.publish('t', bytes('x'), once());
    await driver.publish('t', bytes('y'), once({ delivery: 'at-least-once' }));
    await inbox.gets('x');
  }

  const ways: [string, () => RedisDriverOptions][] = [
    ['tls: { … }', () => ({ tls: { ca: certificate.ca } })],
    ['sentinel: { tls: { … } }', () => ({ sentinel: { tls: { ca: certificate.ca } } as never })],
    [
      'each by itself',
      () => ({
        tls: { ca: certificate.ca },
        sentinel: { enableTLSForSentinelMode: true, sentinelTLS: { ca: certificate.ca } } as never,
      }),
    ],
  ];
  it.each(ways)('%s is for the Sentinels as well: nothing goes there in plain', async (_, how) => {
    const { sentinel, ...rest } = how();
    const driver = await drivers.connected({ ...rest, sentinel: { ...(await behind()), ...sentinel } });
    await works(driver);
    isSecret();
    expect(JSON.stringify(driver)).toContain('behind Sentinels over TLS');
  });

  it('tls: true trusts what Node trusts, and speaks no plain text to others', async () => {
    const driver = drivers.make({ tls: true, sentinel: await behind(), connectTimeout: 500 });
    expect(await rejection(driver.connect())).toMatchObject({ code: 'DISCO_NOT_CONNECTED' });
    isSecret();
  });

  it('sentinelTLS: false leaves the Sentinels without it, where that is said, and the primary with it', async () => {
    const sentinel = { ...(await behind(group.sentinels)), sentinelTLS: false } as const;
    await works(await drivers.connected({ tls: { ca: certificate.ca }, sentinel }));
    expect(Buffer.concat(heard()).includes('get-master-addr-by-name')).toBe(true);
  });

  it('a client of rediss:// that ioredis lets go without TLS is refused; one that is told so for each is not', async () => {
    const { sentinels, name, sentinelPassword } = await behind();
    const url = `rediss://127.0.0.1:${sentinels[0].port}`;
    const given = { sentinels, name, sentinelPassword, lazyConnect: true };
    expect(() => redisDriver({ client: new Redis(url, given) })).toThrow(/enableTLSForSentinelMode/);
    const tls = { ca: certificate.ca };
    const client = new Redis(url, { ...given, tls, enableTLSForSentinelMode: true, sentinelTLS: tls });
    await works(await drivers.connected({ client }));
    isSecret();
  });
});
