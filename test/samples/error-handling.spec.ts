import { describeSample } from './describe-sample.js';
import type { SampleResult } from './run-sample.js';

function expectToLive({ output, code }: SampleResult): void {
  const told = [
    'order 1 shipped: a mirror ball',
    'Error: out of fog machines',
    'HandlerPanicError',
    'HandlerTimeoutError',
    'The payload is not valid: number: invalid_type',
    'CodecError: The bytes are not a Disco frame',
    'order 7 shipped: a dance floor',
    'disco_bus_messages_published_total{topic="orders",status="success"} 6',
    'disco_bus_messages_processed_total{topic="orders",status="success"} 2',
    'disco_bus_messages_processed_total{topic="orders",status="panic"} 1',
    'disco_bus_messages_processed_total{topic="orders",status="timeout"} 1',
    'disco_bus_messages_processed_total{topic="orders",status="error"} 3',
    'disco_bus_messages_dropped_total{topic="orders",reason="failed"} 4',
    'disco_bus_messages_dropped_total{topic="orders",reason="undecodable"} 1',
    'disco_bus_messages_retried_total{topic="returns"} 1',
    'disco_bus_messages_dead_lettered_total{topic="returns",reason="attempts"} 1',
    'GET /health answers 200 before anything has failed: up\n',
    'with a dead letter: degraded: the group "warehouse" of "returns" has 1 dead letters\n',
    'when somebody has looked after it: up\n',
  ];
  for (const line of told) expect(output).toContain(line);
  expect(output.match(/shipped/g)).toHaveLength(2);
  expect(output).toMatch(/given up: .*undecodable/);
  expect([...output.matchAll(/^\[Nest\] \d+ .* (\d)\. \w+: /gm)].map(([, part]) => part)).toEqual([
    ...'1234',
  ]);
  // The log names the trace, and the trace tells the whole story.
  const [, traceId] = /takeBack .*\(trace (\w{32})\), attempt 1 of 2, tried again/.exec(output) ?? [];
  const steps = [
    `trace ${traceId}`,
    ' {4}publish returns: \\d+ ms',
    ' {6}process returns, attempt 1: \\d+ ms, failed: no shelf for a broken disco',
    ' {8}retry returns: \\d+ ms',
    ' {6}process returns, attempt 2: \\d+ ms, failed: no shelf for a broken disco',
    ' {8}dead-letter returns: \\d+ ms',
  ];
  expect(output).toMatch(new RegExp(steps.join('\n')));
  expect(output.match(/ {6}process orders, attempt 1/g)).toHaveLength(6);
  expect(output).not.toMatch(/undefined/);
  expect(code).toBe(0);
}

describeSample('error-handling', expectToLive, { PORT: '0' });
