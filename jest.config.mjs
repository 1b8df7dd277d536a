// Everything is transpiled to CommonJS, @nestjs/* included: the one set-up that runs unchanged on Node 20, 22 and 24.
const swc = (parser, transform = {}) => [
  '@swc/jest',
  {
    swcrc: false,
    module: { type: 'commonjs' },
    jsc: { target: 'es2022', keepClassNames: true, parser, transform },
  },
];

export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/lib', '<rootDir>/test'],
  testRegex: '/test/.*\\.spec\\.ts$',
  // In a browser only by `npm run test:browser`.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/browser/'],
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  reporters: ['default', '<rootDir>/test/support/contract-reporter.mjs'],
  moduleNameMapper: {
    '^nestjs-disco-bus$': '<rootDir>/lib/index.ts',
    '^nestjs-disco-bus/package\\.json$': '<rootDir>/package.json',
    '^nestjs-disco-bus/(redis|memory)$': '<rootDir>/lib/drivers/$1/index.ts',
    '^nestjs-disco-bus/(.+)$': '<rootDir>/lib/$1/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '\\.ts$': swc(
      { syntax: 'typescript', decorators: true },
      { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    ),
    '\\.m?js$': swc({ syntax: 'ecmascript' }),
  },
  transformIgnorePatterns: ['/node_modules/(?!@nestjs/|@ark/|arktype/|arkregex/)'],
  testSequencer: '<rootDir>/test/support/longest-first.mjs',
  // Most specs wait for servers and processes: three at a time keep two cores busy.
  maxWorkers: 3,
  testTimeout: 30_000,
  coverageProvider: 'v8',
  collectCoverageFrom: ['lib/**/*.ts'],
};
