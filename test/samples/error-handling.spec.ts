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
  ];
  for (const line of told) expect(output).toContain(line);
  expect(output.match(/shipped/g)).toHaveLength(2);
  expect(output).toMatch(/given up: .*undecodable/);
  expect(code).toBe(0);
}

describeSample('error-handling', expectToLive, { PORT: '0' });
