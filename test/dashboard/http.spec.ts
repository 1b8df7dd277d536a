import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  ValidationPipe,
  VersioningType,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ConfigurationError } from 'nestjs-disco-bus';
import { DiscoDashboardModule } from 'nestjs-disco-bus/dashboard';
import { map } from 'rxjs';
import { LiveOverview } from '../../lib/dashboard/live-overview.js';
import { until } from '../support/waiting.js';
import { closeAll, own, start } from './support.js';

afterEach(closeAll);

const adapters = { express: () => undefined, fastify: () => new FastifyAdapter() };

@Injectable()
class Key implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest().headers['x-key'] === 'k';
  }
}

/** Events of the live stream, one by one. */
async function* events(root: string, signal: AbortSignal): AsyncGenerator<any> {
  const response = await fetch(`${root}/api/live`, { signal });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = (text + chunk).split('\n\n');
    text = parts.pop()!;
    for (const part of parts) {
      const data = /^data: (.*)$/m.exec(part)?.[1];
      if (data) yield JSON.parse(data);
    }
  }
}

describe.each(Object.entries(adapters))('the dashboard on %s', (_, adapter) => {
  it('is behind the global prefix, in all versions, and no envelope or pipe of the application changes it', async () => {
    const { get, root } = await start({
      adapter: adapter(),
      at: 'v/ops/disco',
      dashboard: { path: '/ops/disco/' },
      prepare: (app) => {
        app.setGlobalPrefix('v');
        app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
        app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true }));
        app.useGlobalInterceptors({
          intercept: (_context, next) => next.handle().pipe(map((data) => ({ data }))),
        });
      },
    });
    expect((await get('api/settings')).body).toMatchObject({ readOnly: true, payloads: 'hidden' });
    expect((await get('api/overview')).body).toHaveProperty('topics');
    const page = await get('');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const bare = await fetch(root, { redirect: 'manual' });
    expect([bare.status, bare.headers.get('location')]).toEqual([302, './disco/']);
    for (const path of ['nothing.js', 'a/index.html', '../../package.json', 'constructor'])
      expect((await get(path)).status).toBe(404);
  });

  it('lets nobody in whom its guards keep out', async () => {
    const { get, act, root } = await start({
      adapter: adapter(),
      dashboard: { readOnly: false, guards: [Key] },
    });
    for (const path of ['', 'api/settings', 'api/overview', 'api/live'])
      expect((await get(path)).status).toBe(403);
    expect((await act('pause', { topic: 'a', group: 'b' })).body).toMatchObject({
      message: 'Forbidden resource',
    });
    expect((await fetch(`${root}/api/settings`, { headers: { 'x-key': 'k' } })).status).toBe(200);
  });

  it('tells who listens every 2 s, asks for nobody else, and closes with open streams', async () => {
    const { app, bus, root } = await start({ adapter: adapter() });
    const live = app.get(LiveOverview, { strict: false });
    await bus.publish('orders', 1);
    const leaving = new AbortController();
    const stream = events(root, leaving.signal);
    expect((await stream.next()).value.buses[0]).toMatchObject({ bus: 'default', totals: { published: 1 } });
    await bus.publish('orders', 2);
    const before = performance.now();
    expect((await stream.next()).value.buses[0].totals.published).toBe(2);
    expect(performance.now() - before).toBeLessThan(3_000);
    leaving.abort();
    await until('it is forgotten', () => live.size === 0);
    const other = events(root, new AbortController().signal);
    await other.next();
    await app.close();
    expect((await other.next()).done).toBe(true);
  });
});

describe('changing something', () => {
  const group = { topic: 'orders', group: 'g' };

  it('is refused where the dashboard only looks', async () => {
    const { bus, act } = await start();
    await bus.subscribe('orders', () => {}, { group: 'g' });
    expect((await act('pause', group)).body).toMatchObject({ statusCode: 403, code: 'READ_ONLY' });
    expect(await bus.inspect.group('orders', 'g')).toMatchObject({ paused: false });
  });

  it('takes no request that another site can have made, and says who did it', async () => {
    const lines: string[] = [];
    const logger = { log: () => {}, error: () => {}, warn: (line: string) => lines.push(line) };
    const who = ({ headers }: any) => headers['x-user'] ?? '';
    const { bus, act, root } = await start({
      bus: { logger },
      dashboard: { readOnly: false, audit: { who }, origins: ['https://ops.example.com'] },
    });
    await bus.subscribe('orders', () => {}, { group: 'g' });
    const ann = { ...own, 'x-user': 'ann' };
    const { 'x-disco-dashboard': _, ...bare } = ann;
    const refused: [headers: Record<string, string>, status: number][] = [
      [bare, 403],
      [{ ...ann, 'content-type': 'text/plain' }, 415],
      [{ ...ann, 'sec-fetch-site': 'cross-site' }, 403],
      [{ ...ann, 'sec-fetch-site': 'same-site' }, 403],
      [{ ...ann, origin: 'https://evil.example.com' }, 403],
      [own, 403],
    ];
    for (const [headers, status] of refused) expect((await act('pause', group, headers)).status).toBe(status);
    expect(await bus.inspect.group('orders', 'g')).toMatchObject({ paused: false });
    const allowed: Record<string, string>[] = [
      { 'sec-fetch-site': 'same-origin' },
      { origin: new URL(root).origin },
      { 'sec-fetch-site': 'cross-site', origin: 'https://ops.example.com' },
    ];
    for (const headers of allowed)
      expect((await act('pause', group, { ...ann, ...headers })).status).toBe(200);
    expect(lines.filter((line) => /pause by "ann"/.test(line))).toHaveLength(1);
    expect((await act('pause', { ...group, grup: 1 }, ann)).body.message).toContain('"grup"');
    expect((await act('explode', group, ann)).body.message).toContain('There is no api/actions/explode');
  });
});

describe('its options', () => {
  it.each<[unknown, string]>([
    [{ pth: 'x' }, 'did you mean "path"?'],
    [{ path: 'a b' }, 'path must be segments'],
    [{ payloads: 'some' }, "payloads must be 'hidden', 'masked' or 'shown', not 'some'"],
    [{ readOnly: 1 }, 'readOnly must be true or false'],
    [{ guards: [1] }, 'guards[0] must be a guard'],
    [{ origins: ['ops'] }, 'origins[0] must be an origin'],
    [{ audit: { who: 'ann' } }, 'audit.who must be a function'],
  ])('%j are refused', (options, told) => {
    const make = () => DiscoDashboardModule.forRoot(options as object);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(told);
  });

  it('name buses that there are', async () => {
    await expect(start({ dashboard: { buses: ['other'] } })).rejects.toThrow('the application has "default"');
  });
});
