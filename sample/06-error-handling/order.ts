import { z } from 'zod';

export const Order = z.object({ number: z.number(), item: z.string() });
export type Order = z.infer<typeof Order>;
