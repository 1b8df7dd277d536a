import { ManualClock } from 'nestjs-disco-bus/testing';
import type { BusLogger, LogFields } from '../../../lib/bus/options/bus-logger.js';
import { LimitedLogger } from '../../../lib/bus/options/limited-logger.js';

class Lines implements BusLogger {
  readonly written: { level: string; text: string; fields?: LogFields }[] = [];
  log = (text: string, fields?: LogFields) => void this.written.push({ level: 'log', text, fields });
  warn = (text: string, fields?: LogFields) => void this.written.push({ level: 'warn', text, fields });
  error = (text: string, fields?: LogFields) => void this.written.push({ level: 'error', text, fields });
}

function stage() {
  const lines = new Lines();
  const clock = new ManualClock();
  return { lines, clock, logger: new LimitedLogger(lines, clock) };
}

const failed: LogFields = { event: 'handler-failed', topic: 'orders', group: 'billing' };

describe('a limited logger', () => {
  it('writes 20 lines of a kind, and then how many it left out when 10 s are over', async () => {
    const { lines, clock, logger } = stage();
    for (let n = 0; n < 120; n++) logger.warn(`line ${n}`, failed);
    expect(lines.written).toHaveLength(20);
    await clock.advance(10_000);
    expect(lines.written).toHaveLength(21);
    expect(lines.written[20]).toEqual({
      level: 'warn',
      text: '"orders": 100 further lines of the last 10 s like the ones above were left out (handler-failed)',
      fields: {
        event: 'lines-left-out',
        topic: 'orders',
        group: 'billing',
        of: 'handler-failed',
        lines: 100,
      },
    });
    expect(clock.pending).toBe(0);
  });

  it('begins anew afterwards', async () => {
    const { lines, clock, logger } = stage();
    for (let n = 0; n < 20; n++) logger.warn(`line ${n}`, failed);
    await clock.advance(10_000);
    logger.warn('again', failed);
    expect(lines.written.map(({ text }) => text).slice(20)).toEqual(['again']);
  });

  it('counts events, topics and groups apart', () => {
    const { lines, logger } = stage();
    const kinds: LogFields[] = [
      failed,
      { ...failed, event: 'given-up' },
      { ...failed, topic: 'b' },
      { ...failed, group: 'b' },
    ];
    for (let n = 0; n < 25; n++) for (const fields of kinds) logger.error('text', fields);
    expect(lines.written).toHaveLength(80);
  });

  it('gives each kind 10 s of its own, whenever it began', async () => {
    const { lines, clock, logger } = stage();
    const later = { ...failed, topic: 'later' };
    for (let n = 0; n < 30; n++) logger.warn('text', failed);
    await clock.advance(8_000);
    for (let n = 0; n < 30; n++) logger.warn('text', later);
    await clock.advance(2_000);
    for (let n = 0; n < 30; n++) logger.warn('text', later);
    const of = (topic: string) => lines.written.filter(({ fields }) => fields?.topic === topic);
    expect([of('orders').length, of('later').length]).toEqual([21, 20]);
    await clock.advance(8_000);
    expect(of('later').at(-1)).toMatchObject({ fields: { event: 'lines-left-out', lines: 40 } });
    expect(clock.pending).toBe(0);
  });

  it('lets everything without fields pass', () => {
    const { lines, logger } = stage();
    for (let n = 0; n < 100; n++) logger.log('text');
    expect(lines.written).toHaveLength(100);
  });

  it('says what it left out when it is flushed, at the level of the last one', () => {
    const { lines, logger, clock } = stage();
    for (let n = 0; n < 21; n++) logger.warn('text', failed);
    logger.error('text', failed);
    logger.flush();
    expect(lines.written.at(-1)).toMatchObject({ level: 'error', fields: { lines: 2 } });
    expect(clock.pending).toBe(0);
  });

  it('keeps at most 1,000 kinds, and says what it left out of those that it forgets', () => {
    const { lines, logger } = stage();
    for (let n = 0; n < 21; n++) logger.warn('text', failed);
    for (let n = 0; n < 1_000; n++) logger.warn('text', { ...failed, topic: `t${n}` });
    expect(lines.written.filter(({ fields }) => fields?.event === 'lines-left-out')).toHaveLength(1);
    expect(lines.written).toHaveLength(20 + 1_000 + 1);
  });
});
