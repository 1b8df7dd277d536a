import { SuiteCopy } from './suite-copy.js';

describe('The transport on Nest 11 and ioredis 5', () => {
  let copy: SuiteCopy;

  beforeAll(async () => {
    const nest = Object.fromEntries(
      ['common', 'core', 'microservices', 'platform-express', 'testing'].map((name) => [
        `@nestjs/${name}`,
        '^11.1.19',
      ]),
    );
    const others = { ioredis: '^5.4.0', rxjs: '^7.8.0', 'reflect-metadata': '^0.2.0' };
    copy = await SuiteCopy.install({ ...nest, ...others });
  }, 150_000);

  afterAll(() => copy?.remove());

  it('is really on those', async () => {
    expect(await copy.versionOf('@nestjs/microservices')).toMatch(/^11\./);
    expect(await copy.versionOf('ioredis')).toMatch(/^5\./);
  });

  it('passes the whole suite', async () => {
    const { exitCode, output } = await copy.run();
    const failures = output.split('\n').filter((line) => /^\s*●/.test(line));
    expect({ exitCode, failures }).toEqual({ exitCode: 0, failures: [] });
    expect(output).toMatch(/Tests: .*\b[1-9]\d\d passed/);
  }, 170_000);
});
