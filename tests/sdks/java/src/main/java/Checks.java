import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.ably.lib.realtime.AblyRealtime;
import io.ably.lib.realtime.Channel;
import io.ably.lib.realtime.ChannelState;
import io.ably.lib.realtime.CompletionListener;
import io.ably.lib.realtime.ConnectionState;
import io.ably.lib.types.AblyException;
import io.ably.lib.types.ClientOptions;
import io.ably.lib.types.ErrorInfo;
import io.ably.lib.types.Message;
import io.ably.lib.types.PaginatedResult;
import io.ably.lib.types.Param;
import io.ably.lib.types.PresenceMessage;
import io.ably.lib.util.Log;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** What the Java SDK finds at a local Ably: one line a check, in one of the two formats. {@code npm run test:sdks} runs it. */
final class Checks {
    private static final String ADDRESS = System.getenv("SDKS_ADDRESS");
    private static final String KEY = System.getenv("SDKS_KEY");
    private static final String CONTROL_SECRET = System.getenv("SDKS_CONTROL_SECRET");
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private interface Check {
        void run() throws Exception;
    }

    private interface Call {
        void on(CompletionListener listener) throws AblyException;
    }

    private final String format;
    private final String clientId;
    private final AblyRealtime client;
    private final Channel channel;
    private final List<Message> received = new CopyOnWriteArrayList<>();
    private boolean good = true;

    private Checks(String format) throws AblyException {
        this.format = format;
        clientId = "java-" + format;
        ClientOptions options = new ClientOptions(KEY);
        options.clientId = clientId;
        options.restHost = options.realtimeHost = ADDRESS.split(":")[0];
        options.port = Integer.parseInt(ADDRESS.split(":")[1]);
        options.tls = false;
        // Without TLS the SDK sends no key.
        options.useTokenAuth = true;
        options.useBinaryProtocol = format.equals("msgpack");
        options.disconnectedRetryTimeout = 200;
        options.logLevel = Log.NONE;
        client = new AblyRealtime(options);
        channel = client.channels.get(clientId);
    }

    public static void main(String[] args) throws Exception {
        boolean good = true;
        for (String format : List.of("json", "msgpack")) {
            Checks checks = new Checks(format);
            // In order: later ones build on earlier ones.
            checks.check("connect", checks::connect);
            checks.check("subscribe", checks::subscribe);
            checks.check("publish", checks::publish);
            checks.check("presence", checks::presence);
            checks.check("history", checks::history);
            checks.check("reads ably js", checks::readsAblyJs);
            checks.check("resume", checks::resume);
            checks.client.close();
            good &= checks.good;
        }
        System.exit(good ? 0 : 1);
    }

    private void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + format + " " + name);
        } catch (Exception | AssertionError error) {
            System.out.println("failed " + format + " " + name + ": " + error);
            good = false;
        }
    }

    private void connect() throws Exception {
        until(() -> client.connection.state == ConnectionState.connected);
        done(client.connection::ping);
    }

    private void subscribe() throws Exception {
        channel.subscribe(received::add);
        until(() -> channel.state == ChannelState.attached);
    }

    private void publish() throws Exception {
        for (Message payload : payloads()) {
            done(listener -> channel.publish(payload, listener));
        }
        until(() -> received.size() >= 3);
        same(texts(received), texts(payloads()));
        for (Message message : received) {
            same(message.clientId, clientId);
            same(message.connectionId, client.connection.id);
        }
    }

    private void presence() throws Exception {
        Channel residents = client.channels.get("residents");
        List<String> events = new CopyOnWriteArrayList<>();
        residents.presence.subscribe(event -> {
            if (clientId.equals(event.clientId)) {
                events.add(event.action + " " + event.data);
            }
        });
        JsonObject resident = JsonParser.parseString("{\"from\":\"ably-js\"}").getAsJsonObject();
        same(members(residents.presence.get(true)), Map.of("resident", resident));
        done(listener -> residents.presence.enter("in", listener));
        until(() -> events.size() == 1);
        same(members(residents.presence.get(true)), Map.of("resident", resident, clientId, "in"));
        done(listener -> residents.presence.update("still in", listener));
        done(listener -> residents.presence.leave("out", listener));
        until(() -> events.size() == 3);
        same(events, List.of("enter in", "update still in", "leave out"));
        same(members(residents.presence.get(true)), Map.of("resident", resident));
    }

    private void history() throws Exception {
        PaginatedResult<Message> page = channel.history(new Param[] {new Param("limit", "2")});
        List<Message> found = new ArrayList<>(List.of(page.items()));
        same(page.hasNext(), true);
        found.addAll(List.of(page.next().items()));
        List<Message> expected = payloads();
        java.util.Collections.reverse(expected);
        same(texts(found), texts(expected));
    }

    private void readsAblyJs() throws Exception {
        Param[] forwards = {new Param("direction", "forwards")};
        Message[] found = client.channels.get("persisted:from-ably-js").history(forwards).items();
        same(texts(List.of(found)), texts(payloads()));
    }

    private void resume() throws Exception {
        String before = client.connection.id;
        received.clear();
        String mine = "\"clientId\":\"" + clientId + "\"}";
        String refusal = control("POST", "/faults", "{\"kind\":\"refuse-connections\"," + mine).get("id").getAsString();
        same(control("POST", "/faults", "{\"kind\":\"drop-connections\"," + mine).get("fired").getAsInt(), 1);
        until(() -> client.connection.state != ConnectionState.connected);
        try (io.ably.lib.rest.AblyRest rest = new io.ably.lib.rest.AblyRest(client.options.copy())) {
            rest.channels.get(clientId).publish("missed", "1");
        }
        control("GET", "/faults/" + refusal + "?fired=1", "");
        control("DELETE", "/faults/" + refusal, "");
        until(() -> client.connection.state == ConnectionState.connected);
        done(listener -> channel.publish("after", "2", listener));
        until(() -> received.size() >= 2);
        same(texts(received), List.of("missed 1", "after 2"));
        same(client.connection.id, before);
    }

    private static List<Message> payloads() {
        JsonObject object = JsonParser.parseString("{\"n\":[1,2.5,null]}").getAsJsonObject();
        return new ArrayList<>(List.of(
            new Message("text", "héllo ✓"),
            new Message("json", object),
            new Message("binary", new byte[] {0, (byte) 255, 127})));
    }

    /** Name and payload of each message, so that they can be compared. */
    private static List<String> texts(List<Message> messages) {
        return messages.stream().map(message -> {
            Object data = message.data instanceof byte[] bytes ? java.util.HexFormat.of().formatHex(bytes) : message.data;
            return message.name + " " + data;
        }).toList();
    }

    private static Map<String, Object> members(PresenceMessage[] members) {
        Map<String, Object> byClientId = new TreeMap<>();
        for (PresenceMessage member : members) {
            byClientId.put(member.clientId, member.data);
        }
        return byClientId;
    }

    /** Asks the local Ably to misbehave, or no longer to. */
    private static JsonObject control(String method, String path, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + ADDRESS + "/control" + path))
            .header("Authorization", "Bearer " + CONTROL_SECRET)
            .header("Content-Type", "application/json")
            .timeout(PATIENCE)
            .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
            .build();
        var answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
        same(answer.statusCode() / 100, 2);
        return answer.body().isEmpty() ? new JsonObject() : JsonParser.parseString(answer.body()).getAsJsonObject();
    }

    /** Waits for what a call answers. */
    private static void done(Call call) throws Exception {
        CompletableFuture<Void> answer = new CompletableFuture<>();
        call.on(new CompletionListener() {
            @Override
            public void onSuccess() {
                answer.complete(null);
            }

            @Override
            public void onError(ErrorInfo reason) {
                answer.completeExceptionally(AblyException.fromErrorInfo(reason));
            }
        });
        answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    /** Waits for what no callback tells of. */
    private static void until(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("waited in vain");
            }
            Thread.sleep(10);
        }
    }

    private static void same(Object found, Object expected) {
        if (!found.equals(expected)) {
            throw new AssertionError("expected " + expected + ", found " + found);
        }
    }
}
