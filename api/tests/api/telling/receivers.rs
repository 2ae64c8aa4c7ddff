//! Real receivers, started for one test: they write what they get to files, and end with the test.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdin, Stdio},
};

use api::outbound::{
    OutboundSettings,
    errands::Backoff,
    mail::MailSettings,
    webhooks::{Allowed, SendSettings},
};
use serde_json::Value;
use store::testing::eventually;
use uuid::Uuid;

/// A receiver of its own for a test.
pub struct Receiver {
    child: Child,
    /// Ends the receiver when it is dropped.
    _stdin: ChildStdin,
    folder: PathBuf,
    script: &'static str,
    pub port: u16,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Receiver {
    /// A mail server.
    pub fn of_mails() -> Self {
        Self::start("mail_server.py")
    }

    /// Somebody who takes webhooks.
    pub fn of_webhooks() -> Self {
        Self::start("webhook_receiver.py")
    }

    fn start(script: &'static str) -> Self {
        let folder = std::env::temp_dir().join(format!("daybook-receiver-{}", Uuid::now_v7().simple()));
        fs::create_dir(&folder).unwrap();
        let (child, stdin, port) = run(script, &folder, None);
        Self { child, _stdin: stdin, folder, script, port }
    }

    /// It is gone, and what it got stays.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// It is there again, where it was.
    pub fn restart(&mut self) {
        (self.child, self._stdin, self.port) = run(self.script, &self.folder, Some(self.port));
    }

    /// Tells it how to answer from now on, or to answer as usual.
    pub fn answers(&self, how: Option<&str>) {
        let path = self.folder.join("answer");
        match how {
            Some(how) => fs::write(path, how).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    }

    /// Tells it something that it has to know.
    pub fn knows(&self, name: &str, what: &str) {
        fs::write(self.folder.join(name), what).unwrap();
    }

    /// A file that it wrote beside what it got.
    pub fn noted(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }

    /// Everything that it got, in order.
    pub fn got(&self) -> Vec<Value> {
        let files = fs::read_dir(&self.folder).unwrap().map(|file| file.unwrap().path());
        let mut got: Vec<(u32, Value)> = files
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .map(|path| {
                let number = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
                (number, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
            })
            .collect();
        got.sort_by_key(|(number, _)| *number);
        got.into_iter().map(|(_, got)| got).collect()
    }

    /// Waits until it got something like that.
    pub async fn gets(&self, what: &str, like: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{what} arrives; {} came", self.got().len()), || async {
            self.got().into_iter().find(&like)
        })
        .await
    }

    /// Where webhooks go.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }
}

fn run(script: &str, folder: &std::path::Path, port: Option<u16>) -> (Child, ChildStdin, u16) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/api/telling").join(script);
    let mut command = stack::testing::python();
    command.arg(path).arg(folder).args(port.map(|port| port.to_string()));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().parse().expect("the receiver says its port");
    let stdin = child.stdin.take().unwrap();
    (child, stdin, port)
}

/// Tries again so soon that a test can wait for it.
pub fn soon() -> Backoff {
    Backoff::new(vec![std::time::Duration::from_millis(200); 3])
}

/// Tries again so often that a test never comes to the end of it.
pub fn patient() -> Backoff {
    Backoff::new(vec![std::time::Duration::from_millis(200); 200])
}

/// Webhooks to this machine.
pub fn to_webhooks(backoff: Backoff) -> OutboundSettings {
    let allowed = Allowed { private: true };
    OutboundSettings {
        webhooks: SendSettings { allowed, backoff, ..SendSettings::default() },
        ..OutboundSettings::default()
    }
}

/// Mails through that server.
pub fn to_mails(server: &Receiver, backoff: Backoff) -> OutboundSettings {
    let mail = MailSettings {
        url: format!("smtp://127.0.0.1:{}", server.port),
        from: "The Shop <orders@shop.example>".parse().unwrap(),
        reply_to: Some("help@shop.example".parse().unwrap()),
        shop: Some("stock@shop.example".parse().unwrap()),
        shop_name: "The Shop".into(),
        front: Some("https://shop.example".into()),
        backoff,
    };
    OutboundSettings { mail: Some(mail), ..OutboundSettings::default() }
}
