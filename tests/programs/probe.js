// What a Node program sees: run inside the pod and through us, it must print the same.
'use strict';
const fs = require('fs'), path = require('path'), net = require('net'), dns = require('dns');
const dgram = require('dgram'), http = require('http'), crypto = require('crypto');
const [command, ...args] = process.argv.slice(2);
const sha = (data) => crypto.createHash('sha256').update(data).digest('hex');
const attempt = (what, work) => {
  try { console.log(what, work()); } catch (error) { console.log(what, error.code); }
};

function show(file) {
  attempt(`lstat ${file}`, () => { const s = fs.lstatSync(file); return [s.mode.toString(8), s.nlink, s.uid, s.gid, s.size, s.mtimeMs]; });
  attempt(`readlink ${file}`, () => fs.readlinkSync(file));
  attempt(`realpath ${file}`, () => fs.realpathSync(file));
  attempt(`readdir ${file}`, () => fs.readdirSync(file).sort());
  attempt(`read ${file}`, () => sha(fs.readFileSync(file)));
}

const commands = {
  env() { for (const key of Object.keys(process.env).sort()) console.log('env', key, JSON.stringify(process.env[key])); },
  files(...files) { files.forEach(show); },
  async promises(file) { console.log('promises', sha(await fs.promises.readFile(file)), (await fs.promises.stat(file)).size); },
  write(folder) {
    const a = path.join(folder, 'node-a'), b = path.join(folder, 'node-b');
    attempt('write', () => fs.writeFileSync(a, 'from node\n'.repeat(1000)));
    attempt('append', () => fs.appendFileSync(a, 'more'));
    attempt('copy', () => fs.copyFileSync(a, b));
    attempt('same', () => fs.readFileSync(a).equals(fs.readFileSync(b)));
    attempt('rename', () => fs.renameSync(b, a));
    attempt('size', () => fs.statSync(a).size);
    attempt('rm', () => fs.rmSync(a));
    attempt('gone', () => fs.existsSync(a));
  },
  // One after the other: look-ups run in threads.
  async dns(...names) {
    for (const name of names) {
      await dns.promises.lookup(name, { all: true }).then(
        (found) => console.log('lookup', name, found.map((f) => f.address).sort()),
        (error) => console.log('lookup', name, error.code));
    }
  },
  // By c-ares, which speaks to the name servers itself.
  async resolve(...names) {
    for (const name of names) {
      for (const type of ['A', 'AAAA', 'SRV']) {
        await dns.promises.resolve(name, type).then(
          (found) => console.log('resolve', name, type, JSON.stringify(found.sort())),
          (error) => console.log('resolve', name, type, error.code));
      }
    }
  },
  tcp(ip, port) {
    const socket = net.connect(Number(port), ip, () => {
      console.log('peer', socket.remoteAddress, socket.remotePort, 'local', socket.localAddress);
      socket.end('hello from node');
    });
    let answer = '';
    socket.setTimeout(3000, () => { console.log('timed out'); socket.destroy(); });
    socket.on('data', (data) => { answer += data; });
    socket.on('error', (error) => console.log('connect', error.code));
    socket.on('close', () => console.log('echo', answer));
  },
  udp(ip, port) {
    const socket = dgram.createSocket(ip.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (data, from) => { console.log('message', String(data), from.address, from.port); socket.close(); });
    socket.send('hello from node', Number(port), ip);
    setTimeout(() => { try { socket.close(); console.log('no answer'); } catch { /* closed by the answer */ } }, 3000);
  },
  serve(port, count) {
    let left = Number(count);
    const server = http.createServer((request, response) => {
      const from = request.socket.remoteAddress;
      console.log('request', request.url, 'from', from);
      response.setHeader('Connection', 'close');
      response.end(`local node: ${request.url} from ${from}\n`);
      if (--left === 0) server.close();
    });
    server.listen(Number(port), () => console.log('listening on', server.address().port));
  },
};
commands[command](...args);
