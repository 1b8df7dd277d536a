import 'reflect-metadata';

// Each file of tests runs alone as well, and in any test runner; here Node's own runs them all.
await import('./unit.test.js');
await import('./application.test.js');
await import('./simulation.test.js');
