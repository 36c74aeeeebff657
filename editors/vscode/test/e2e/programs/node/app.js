const http = require("node:http");
const { readFileSync } = require("node:fs");

async function main() {
    console.log("started"); // first
    const name = process.env.POD_NAME;
    const text = readFileSync("/data/hello.txt", "utf8").trim();
    const answer = await fetch("http://orders.shop.svc.cluster.local/orders/42"); // order
    const order = (await answer.text()).split("\n")[0];
    const server = http.createServer((request, answer) => serve(name, text, order, request.url, answer));
    server.listen(8080, () => console.log(`listening in ${name}`));

    function serve(name, text, order, path, answer) {
        answer.end(`local node ${path}\n`); // request
        server.close();
        server.closeIdleConnections();
    }
}

main();
