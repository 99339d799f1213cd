// face-api.js with its tiny face detector and expression net, on TensorFlow.js's WebAssembly backend.
// The protocol is that of protocol.py. Node looks for the packages from the folder it is started in.
const fs = require('fs');
const path = require('path');
const readline = require('readline');

const installed = require('module').createRequire(path.join(process.cwd(), 'package.json'));
const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n');
console.log = console.error; // what libraries say goes to the log

async function main() {
  const start = performance.now();
  const tf = installed('@tensorflow/tfjs');
  const wasm = installed('@tensorflow/tfjs-backend-wasm');
  const faceapi = installed('@vladmandic/face-api/dist/face-api.node-wasm.js');
  const importMs = performance.now() - start;

  const folder = (name) => path.dirname(installed.resolve(name));
  wasm.setWasmPaths(folder('@tensorflow/tfjs-backend-wasm') + path.sep);
  wasm.setThreadsCount(1);
  await tf.setBackend('wasm');
  await tf.ready();
  if (tf.getBackend() !== 'wasm') throw new Error(`the backend is ${tf.getBackend()}, not wasm`);
  const models = path.join(folder('@vladmandic/face-api/package.json'), 'model');
  await faceapi.nets.tinyFaceDetector.loadFromDisk(models);
  await faceapi.nets.faceExpressionNet.loadFromDisk(models);
  const detector = new faceapi.TinyFaceDetectorOptions();

  const reads = {
    async frames(tensor) {
      const faces = await faceapi.detectAllFaces(tensor, detector).withFaceExpressions();
      return faces.map(({ detection: { box } }) => [box.x, box.y, box.width, box.height]);
    },
    faces: (tensor) => faceapi.recognizeFaceExpressions(tensor),
  };

  async function answer({ read, path: file, count, height, width }) {
    const ms = [];
    const results = [];
    const bytes = Buffer.alloc(height * width * 3);
    const pixels = fs.openSync(file);
    for (let i = 0; i < count; i += 1) {
      fs.readSync(pixels, bytes, 0, bytes.length, null);
      const before = performance.now();
      const tensor = tf.tensor3d(bytes, [height, width, 3], 'int32');
      results.push(await reads[read](tensor));
      tensor.dispose();
      ms.push(performance.now() - before);
    }
    fs.closeSync(pixels);
    if (read === 'frames') return { ms, boxes: results };
    const names = Object.keys(results[0]);
    return { ms, names, probabilities: results.map((seen) => names.map((name) => seen[name])) };
  }

  say({ import_ms: importMs });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    say(await answer(JSON.parse(line)));
  }
}

main().catch((error) => {
  console.error(String(error)); // not Node's own report, whose last line is its version
  process.exit(1);
});
