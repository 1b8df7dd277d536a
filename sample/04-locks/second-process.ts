import { startSecond } from './second.js';

const { ended } = await startSecond();
process.send?.('waiting');
await ended;
process.disconnect?.();
