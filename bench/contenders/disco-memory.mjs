// This library on its embedded driver: publish → a @DiscoSubscribe handler, within one process.
import { Alone } from '../harness/alone.mjs';
import { application, publishThrough } from './disco.mjs';

export async function alone() {
  const worker = new Alone();
  worker.publish = publishThrough(await application({ url: 'memory:' }, worker.take));
  return worker;
}
