import { describeSample } from './describe-sample.js';

function expectOrders({ output, code }: { output: string; code: number | null }): void {
  for (const number of [1, 2, 3]) {
    expect(output).toMatch(new RegExp(`order ${number} published`));
    expect(output).toMatch(new RegExp(`order ${number} handled`));
  }
  expect(output).toContain('disco_bus_messages_published_total{topic="orders",status="success"} 3');
  expect(output).toContain('disco_bus_messages_processed_total{topic="orders",status="success"} 3');
  expect(output).not.toMatch(/warn|error:/i);
  expect(code).toBe(0);
}

describeSample('publish-subscribe', expectOrders);
