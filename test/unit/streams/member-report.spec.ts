import { memberReport, saidIn } from '../../../lib/drivers/redis/streams/group/group-member.js';

describe('The report of a member', () => {
  it('counts what it holds and runs, and since when the longest runs', () => {
    const deliveries = [
      { messages: 5, begun: 2, beganMs: 1_000 },
      { messages: 1, begun: 1, beganMs: 700 },
      { messages: 3, begun: 0, beganMs: undefined },
    ];
    const report = memberReport('shop', { deliveries, setting: { paused: false }, reader: 7 }, 2_000);
    expect(report).toMatchObject({
      service: 'shop',
      pid: process.pid,
      held: 9,
      running: 3,
      since: 700,
      at: 2_000,
    });
    expect(saidIn(JSON.stringify(report))).toEqual(JSON.parse(JSON.stringify(report)));
  });

  it.each([undefined, '', 'no JSON', '{"half":', 'null', '5', '"text"'])(
    'says nothing where it is %j',
    (text) => {
      expect(saidIn(text)).toEqual({});
    },
  );
});
