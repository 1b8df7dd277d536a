// This library on its embedded driver, with the delivery that `defaults` has: publish → a @DiscoSubscribe handler, within one process.
import { Alone } from '../harness/alone.mjs';
import { application, publishThrough } from './disco.mjs';

export async function alone({ defaults }) {
  const worker = new Alone();
  worker.publish = publishThrough(await application({ url: 'memory:', defaults }, worker.take));
  return worker;
}
