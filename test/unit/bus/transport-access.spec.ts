import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { transportAccess } from '../../../lib/bus/transport-access.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { ConfigurationError } from '../../../lib/errors/bus.errors.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';

const makeBus = () => new DiscoBus({ driver: memoryDriver(), service: 'tests', requestTimeout: '7s' });

const listening = (bus: unknown) =>
  new Promise((settled) => new DiscoBusServer({ bus: bus as DiscoBus }).listen(settled));

describe('What a transport may do with a bus', () => {
  it('is granted by every bus, and shown by none', () => {
    const bus = makeBus();
    expect(transportAccess(bus).requestTimeoutMs).toBe(7_000);
    expect(transportAccess(bus).pendingRequests).toBe(0);
    expect({ ...bus }).not.toHaveProperty([Symbol.for('nestjs-disco-bus.transport-access')]);
  });

  it.each([
    ['no bus', {}],
    ['a holder of nothing', { bus: undefined }],
    ['a copy of a bus', { ...makeBus() }],
    ['a holder of what has its methods', { bus: { requestStream: () => {} } }],
  ])('is not found on %s, which a server refuses', async (_name, bus) => {
    const refusal = await listening(bus);
    expect(refusal).toBeInstanceOf(ConfigurationError);
    expect(refusal).toMatchObject({ message: 'bus must be a DiscoBus or a DiscoBusService' });
  });

  it('is found on a bus, and on what holds one', async () => {
    const bus = makeBus();
    await bus.start();
    expect(await listening(bus)).toBeUndefined();
    expect(await listening({ bus })).toBeUndefined();
    await bus.stop();
  });
});
