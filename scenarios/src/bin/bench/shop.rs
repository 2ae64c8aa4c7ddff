//! The program as it is released, on servers of its own, with something on its shelves.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::load::{Client, Extra};

/// Longer than servers take to be installed.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// A running shop; stopped and removed when dropped.
pub struct Shop {
    pub address: SocketAddr,
    /// Where its data lie.
    pub data: PathBuf,
    serve: Child,
    /// A token of the admin, made once: passwords take their time.
    admin: String,
}

impl Shop {
    /// Builds the program where that is needed, and starts it with nothing in it.
    pub async fn open(settings: &[(&str, &str)]) -> Self {
        let own = env::current_exe().unwrap();
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let built = Command::new(cargo).args(["build", "--release", "-p", "daybook"]).status().unwrap();
        assert!(built.success(), "the program cannot be built");
        let program = own.parent().unwrap().join("daybook");
        let data = env::temp_dir().join(format!("daybook-bench-{}", std::process::id()));
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let listen = address.to_string();
        let mut command = Command::new(program);
        command
            .args(["up", "--no-sample", "--listen", &listen, "--data"])
            .arg(&data)
            .env("DAYBOOK_LOG", "warn");
        if env::var_os("DAYBOOK_SERVERS").is_none() {
            command.env("DAYBOOK_SERVERS", env::current_dir().unwrap().join(".daybook/servers"));
        }
        let serve = command.envs(settings.iter().copied()).stdout(Stdio::null()).spawn().unwrap();
        let mut shop = Self { address, data, serve, admin: String::new() };
        shop.ready().await;
        let password = fs::read_to_string(shop.data.join("admin.password")).unwrap();
        let login = json!({ "email": "admin@localhost", "password": password.trim() });
        let login = shop.client().await.post("login", "/v1/auth/login", &login).await.expect(200);
        shop.admin = login.text("access_token");
        shop
    }

    async fn ready(&self) {
        let begun = Instant::now();
        while begun.elapsed() < READY_WITHIN {
            if tokio::net::TcpStream::connect(self.address).await.is_ok()
                && self.client().await.get("ready", "/readyz").await.status == 200
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the shop is not ready after {READY_WITHIN:?}");
    }

    /// Somebody new.
    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Somebody who may do everything.
    pub async fn staff(&self) -> Client {
        let mut client = self.client().await;
        client.token = Some(self.admin.clone());
        client
    }

    /// Products of one SKU each, `A0`, `A1` and so on, with so many units.
    pub async fn stock(&self, products: usize, units: u32) {
        let mut staff = self.staff().await;
        let mut position = None;
        for nth in 0..products {
            let sku = format!("A{nth}");
            let product = json!({
                "id": format!("product-{nth}"),
                "title": format!("Article {nth} of the bench"),
                "variants": [{ "sku": sku, "price": { "amount": 1_250, "currency": "GBP" } }],
            });
            staff.post("list", "/v1/products", &product).await.expect(201);
            let path = format!("/v1/inventory/{sku}/receive");
            let received = staff.post("receive", &path, &json!({ "quantity": units })).await.expect(200);
            position = received.position;
        }
        let path = format!("/v1/products/product-{}", products - 1);
        let extra = Extra { after: position.as_deref(), ..Extra::default() };
        staff.send("seen", ("GET", &path), extra).await.expect(200);
    }

    /// What the shop says of a SKU, once it has come as far as the log.
    pub async fn stock_of(&self, sku: &str) -> Value {
        let mut staff = self.staff().await;
        staff.get("stock", &format!("/v1/inventory/{sku}")).await.expect(200).json()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let stopped = Command::new("kill").args(["-INT", &self.serve.id().to_string()]).status();
        if stopped.is_ok() {
            let _ = self.serve.wait();
        }
        let _ = fs::remove_dir_all(&self.data);
    }
}
